-- Matches what is left by amount and day: the same day first, then within the tolerance where there is one candidate.

create temporary table line_left on commit drop as
select t.line, t.amount, t.day, row_number() over (partition by t.amount, t.day order by t.line) as place,
       count(*) over (partition by t.amount, t.day) as alike,
       floor(t.amount::numeric / (s.tolerance_amount + 1)) as bucket
from theirs as t
cross join this_statement as s
where t.is_same_currency
  and not exists (select from matched as m where m.line = t.line)
  and not exists (select from problem as p where p.line = t.line);

create temporary table entry_left on commit drop as
select o.seq, o.amount, o.day, row_number() over (partition by o.amount, o.day order by o.seq) as place,
       count(*) over (partition by o.amount, o.day) as alike,
       floor(o.amount::numeric / (s.tolerance_amount + 1)) as bucket
from ours as o
cross join this_statement as s
where not exists (select from matched as m where m.seq = o.seq);

analyze line_left;
analyze entry_left;

-- Of one amount on one day all are alike: the first with the first.
insert into matched
select l.line, e.seq, '1:1', 'amount_date', case when l.alike = 1 and e.alike = 1 then 85 else 60 end
from line_left as l
join entry_left as e on e.amount = l.amount and e.day = l.day and e.place = l.place;

delete from line_left as l using matched as m where m.line = l.line;
delete from entry_left as e using matched as m where m.seq = e.seq;

-- Many of one amount would have too many candidates to look at: they are ambiguous as they are.
create temporary table crowded on commit drop as
select l.bucket
from (select bucket, count(*) as count from line_left group by bucket) as l
join (select bucket, count(*) as count from entry_left group by bucket) as e on e.bucket = l.bucket
where l.count * e.count > 10000;

create temporary table candidate on commit drop as
select l.line, e.seq,
       count(*) over (partition by l.line) as of_line,
       count(*) over (partition by e.seq) as of_entry
from line_left as l
cross join this_statement as s
-- With a tolerance, the entry may lie in a bucket beside.
cross join lateral (select generate_series(l.bucket - sign(s.tolerance_amount::numeric), l.bucket + sign(s.tolerance_amount::numeric)) as bucket) as near
join entry_left as e on e.bucket = near.bucket
where abs(e.amount - l.amount) <= s.tolerance_amount
  and abs(e.day - l.day) <= s.tolerance_days
  and l.bucket not in (select bucket from crowded);

insert into matched
select line, seq, '1:1', 'amount_date', 70
from candidate
where of_line = 1 and of_entry = 1;

insert into problem
select l.line, null, 'ambiguous', l.amount, 'more than one pair of this amount lies within the tolerance'
from line_left as l
where exists (select from candidate as c where c.line = l.line and (c.of_line > 1 or c.of_entry > 1))
   or l.bucket in (select bucket from crowded);

-- What is a candidate of an ambiguous line is not missing there: it is part of that break.
create temporary table in_doubt on commit drop as
select seq from candidate where of_line > 1 or of_entry > 1
union
select e.seq from entry_left as e where e.bucket in (select bucket from crowded);

drop table line_left, entry_left, crowded, candidate;
analyze matched;
