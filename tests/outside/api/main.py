"""The main flow through the client that openapi-python-client makes of the API's document.

Usage: main.py <folder of the client> <url of the API> <administrator's key>
"""

import sys
import time

folder, url, key = sys.argv[1:4]
sys.path.insert(0, folder)

from bit_nexus_client import AuthenticatedClient, models  # noqa: E402
from bit_nexus_client.api.accounts import get_account, list_entries  # noqa: E402
from bit_nexus_client.api.ledger import get_receipt  # noqa: E402
from bit_nexus_client.api.products import create_product  # noqa: E402
from bit_nexus_client.api.transactions import create_transaction, get_transaction  # noqa: E402
from bit_nexus_client.api.users import create_user  # noqa: E402

RUN = str(time.time_ns())
client = AuthenticatedClient(base_url=url, token=key)


def ok(answer):
    """The content of an answer; a problem ends the program."""
    if answer.parsed is None or isinstance(answer.parsed, models.Problem):
        raise SystemExit(f"{answer.status_code}: {answer.content}")
    return answer.parsed


def patiently(code, ask):
    """Repeats a request that is refused with this code for a moment."""
    for _ in range(200):
        answer = ask()
        if not (isinstance(answer.parsed, models.Problem) and answer.parsed.code == code):
            return ok(answer)
        time.sleep(0.05)
    raise SystemExit(f"still {code}")


def equal(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r}, not {wanted!r}")


def user(name):
    body = models.NewUser(email=f"{name}-{RUN}@example.net", name=name)
    return ok(create_user.sync_detailed(client=client, body=body)).wallets[0].account_id


def gbp(amount):
    return models.Money(amount=amount, currency="GBP")


def post(**members):
    body = models.NewTransaction.from_dict(members)
    ask = lambda: create_transaction.sync_detailed(client=client, body=body, prefer="wait=20")  # noqa: E731
    transaction = patiently("account_not_open", ask)
    equal(members["type"], transaction.status.value, "recorded")
    return transaction


ada, bob = user("ada"), user("bob")
post(type="deposit", to=str(ada), amount=gbp("100.00").to_dict(), reference=f"opening-{RUN}")
moved = post(**{"type": "transfer", "from": str(ada), "to": str(bob), "amount": gbp("12.50").to_dict()})
equal("the transaction", ok(get_transaction.sync_detailed(moved.id, client=client)).id, moved.id)
equal("the entries", len(ok(list_entries.sync_detailed(bob, client=client)).items), 1)
equal("the balance", ok(get_account.sync_detailed(bob, client=client)).balance.amount, "12.50")
for _ in range(200):
    receipt = get_receipt.sync_detailed(moved.id, client=client)
    if receipt.status_code != 409:
        break
    time.sleep(0.05)
equal("the receipt", receipt.content.startswith(b"c2sp.org/tlog-proof"), True)
product = models.NewProduct(sku=f"cup-{RUN}", name="A cup", price=gbp("4.50"))
product = ok(create_product.sync_detailed(client=client, body=product))
whose = {"from": str(ada), "to": str(bob), "amount": gbp("9.00").to_dict()}
post(type="purchase", product_id=str(product.id), quantity=2, **whose)
print("the generated client for Python went through the main flow")
