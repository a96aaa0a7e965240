"""The money an Online Retail file moves, to the penny, summed without any of the code it is to be compared with.

usage: sum_online_retail.py FILE; prints one JSON object, money in pence.
       sum_online_retail.py FILE --statement; prints what the shop's bank would list of it, as CSV.
"""
import csv, hashlib, json, re, sys
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal


def reason(row):
    """None if the line can become a transaction; else why not, in short: what is rare counts as `other`."""
    if len(row) != 8:
        return "truncated"
    invoice, code, _, quantity, date, price, customer, _ = row
    if not customer:
        return "no_customer"
    if not re.fullmatch(r"\d+", customer) or not re.fullmatch(r"-?\d+(\.\d\d?)?", price):
        return "other"
    if Decimal(price) == 0:
        return "zero_price"
    try:
        datetime.strptime(date, "%m/%d/%y %H:%M")
    except ValueError:
        return "other"
    fine = Decimal(price) > 0 and re.fullmatch(r"-?\d+", quantity) and int(quantity) and invoice and code
    fine = fine and (int(quantity) < 0) == invoice.startswith("C")
    return None if fine and abs(int(quantity)) * Decimal(price) <= 10**16 else "other"


refused, moved, count = Counter(), Counter(), Counter()
deposits, spent, sold = defaultdict(int), defaultdict(int), defaultdict(int)
with open(sys.argv[1], "rb") as file:
    lines = [line.rstrip(b"\r\n") for line in file][1:]
statement = []
for number, line in enumerate(lines, 2):
    text = line.decode("utf-8", "replace")
    cut_off = text.count('"') % 2
    why = "other" if "\ufffd" in text else reason([] if cut_off else next(csv.reader([text]), []))
    if why:
        refused[why] += 1
        continue
    _, code, _, quantity, _, price, customer, _ = next(csv.reader([text]))
    quantity, pence = int(quantity), int(Decimal(price) * 100)
    amount, key = quantity * pence, (customer, code, abs(quantity), pence)
    kind = "sales" if quantity > 0 else "reversals" if sold[key] else "refunds"
    sold[key] += {"sales": 1, "reversals": -1, "refunds": 0}[kind]
    day = datetime.strptime(next(csv.reader([text]))[4], "%m/%d/%y %H:%M").date()
    statement.append((day, amount, number))
    moved[kind] += abs(amount)
    count[kind] += 1
    spent[customer] += amount
    deposits[customer] += max(amount, 0)
if sys.argv[2:] == ["--statement"]:
    name = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:16]
    print("date,amount,currency,reference,id,description")
    for day, pence, number in statement:
        print(f"{day},{Decimal(pence).scaleb(-2)},GBP,online-retail:{name}:line:{number},,")
    sys.exit()
balances = "".join(f"{customer}:{deposits[customer] - spent[customer]}\n" for customer in sorted(spent))
shop_deposit = max(0, -sum(spent.values()))
print(json.dumps({
    "read": len(lines), "accepted": sum(count.values()), "refused": refused, "customers": len(spent),
    "count": count, "moved": moved, "deposits": sum(deposits.values()) + shop_deposit,
    "shop_balance": shop_deposit + sum(spent.values()),
    "balances_sha256": hashlib.sha256(balances.encode()).hexdigest(),
}, indent=1))
