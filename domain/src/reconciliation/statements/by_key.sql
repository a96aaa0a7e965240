-- Matches what shares a key. {theirs} and {ours} are the key's columns, {by} its name, {confidence} in percent.

-- Lines and entries that are not taken yet, each with its place among those of its key and amount.
create temporary table line_left on commit drop as
select t.line, t.amount, t.is_same_currency, {theirs} as key,
       row_number() over (partition by {theirs}, t.amount, t.is_same_currency order by t.line) as place
from theirs as t
where {theirs} is not null
  and not exists (select from matched as m where m.line = t.line)
  and not exists (select from problem as p where p.line = t.line);

create temporary table entry_left on commit drop as
select o.seq, o.amount, {ours} as key, row_number() over (partition by {ours}, o.amount order by o.seq) as place
from ours as o
where {ours} is not null
  and not exists (select from matched as m where m.seq = o.seq);

analyze line_left;
analyze entry_left;

-- Equal amounts, the first with the first.
insert into matched
select l.line, e.seq, '1:1', '{by}', {confidence}
from line_left as l
join entry_left as e on e.key = l.key and e.amount = l.amount and e.place = l.place
where l.is_same_currency;

-- A line whose like is matched already is there twice.
insert into problem
select l.line, null, 'duplicate', l.amount, 'there is another line of the same {by} and amount, which is matched'
from line_left as l
where l.is_same_currency
  and l.place > 1
  and not exists (select from matched as m where m.line = l.line)
  and exists (select from entry_left as e where e.key = l.key and e.amount = l.amount)
  and not exists (
      select
      from entry_left as e
      where e.key = l.key and not exists (select from matched as m where m.seq = e.seq)
  );

-- What is left of each key, as sums.
create temporary table line_sum on commit drop as
select l.key, count(*) as count, sum(l.amount) as amount, min(l.line) as line, bool_and(l.is_same_currency) as is_same_currency
from line_left as l
where not exists (select from matched as m where m.line = l.line)
  and not exists (select from problem as p where p.line = l.line)
group by l.key;

create temporary table entry_sum on commit drop as
select e.key, count(*) as count, sum(e.amount) as amount, min(e.seq) as seq
from entry_left as e
where not exists (select from matched as m where m.seq = e.seq)
group by e.key;

create temporary table pair on commit drop as
select l.key, l.line, e.seq, l.count as lines, e.count as entries, l.amount - e.amount as off, l.is_same_currency,
       case when l.count = 1 and e.count = 1 then '1:1' when l.count = 1 then '1:n' else 'n:1' end as shape
from line_sum as l
join entry_sum as e on e.key = l.key
cross join this_statement as s
where (l.count = 1 or e.count = 1)
  -- One line and several entries that do not add up to it: which of them it is, nobody knows.
  and (e.count = 1 or (l.is_same_currency and abs(l.amount - e.amount) <= s.tolerance_amount));

insert into matched
select l.line, e.seq, p.shape, '{by}',
       case when p.off = 0 and p.is_same_currency then {confidence} else {confidence} - 25 end
from pair as p
join line_left as l on l.key = p.key
join entry_left as e on e.key = p.key
where not exists (select from matched as m where m.line = l.line or m.seq = e.seq)
  and not exists (select from problem as q where q.line = l.line);

insert into problem
select p.line, p.seq, case when p.is_same_currency then 'amount' else 'currency' end,
       case when p.is_same_currency then greatest(least(p.off, 9223372036854775807), -9223372036854775807)::bigint end,
       case
           when p.is_same_currency
               then format('the statement says %s minor units more than the ledger for the same {by}', p.off)
           else 'the statement has it in another currency'
       end
from pair as p
cross join this_statement as s
where abs(p.off) > s.tolerance_amount or not p.is_same_currency;

insert into problem
select l.line, null, 'ambiguous', l.amount, 'several entries share its {by}, and do not add up to it'
from line_sum as l
join entry_sum as e on e.key = l.key
where not exists (select from pair as p where p.key = l.key);

drop table line_left, entry_left, line_sum, entry_sum, pair;
analyze matched;
