-- What is left over, and the matches written where they are kept.

insert into problem
select t.line, null, case when t.is_same_currency then 'missing_here' else 'currency' end, t.amount,
       case
           when t.is_same_currency then 'the ledger has nothing for this line'
           else 'the line is in another currency than the account'
       end
from theirs as t
where not exists (select from matched as m where m.line = t.line)
  and not exists (select from problem as p where p.line = t.line);

-- The last days of the period may be on the next statement: late, not missing.
insert into problem
select null, o.seq, case when o.day > s.period_to - s.tolerance_days then 'late' else 'missing_there' end, o.amount,
       format('the statement has no line for transaction %s of %s', o.id, o.day)
from ours as o
cross join this_statement as s
where o.day between s.period_from and s.period_to
  and not exists (select from matched as m where m.seq = o.seq)
  and not exists (select from in_doubt as d where d.seq = o.seq);

-- Matched, and further apart than they may be.
insert into problem
select m.line, min(m.seq), 'late', null,
       format('the statement has it on %s, the ledger on %s', min(t.day), min(o.day))
from matched as m
join theirs as t on t.line = m.line
join ours as o on o.seq = m.seq
cross join this_statement as s
where abs(t.day - o.day) > s.tolerance_days
group by m.line;

insert into problem
select null, null, 'closing', (s.opening + said.amount - s.closing)::bigint,
       format('opening %s and its lines %s do not add up to closing %s', s.opening, said.amount, s.closing)
from this_statement as s
cross join (select coalesce(sum(amount), 0) as amount from theirs where is_same_currency) as said
where s.opening + said.amount <> s.closing;

delete from reconciliation.match as m
using this_statement as s
where m.shard = s.shard and m.statement_id = s.id;

insert into reconciliation.match (shard, statement_id, line, seq, shape, matched_by, confidence)
select s.shard, s.id, m.line, m.seq, m.shape, m.matched_by, m.confidence
from matched as m
cross join this_statement as s;

update reconciliation.statement as kept
set matched_at = clock_timestamp(), matched_lines = (select count(distinct line) from matched)
from this_statement as s
where kept.shard = s.shard and kept.id = s.id;
