-- One line for each object of ours, in the same words on every PostgreSQL from 14 on. Partitions come and go, so they are left out.
with space as (
    select oid, nspname as name
      from pg_catalog.pg_namespace
     where nspname in ('queue', 'ledger', 'app', 'reconciliation')
),
relation as (
    select class.oid, space.name || '.' || class.relname as name, class.relkind as kind
      from pg_catalog.pg_class as class
      join space on space.oid = class.relnamespace
     where class.relkind in ('r', 'p', 'v', 'm')
       and not class.relispartition
)
select line.object as "object!", line.definition as "definition!"
  from (
    select 'table ' || name as object,
           case kind when 'r' then 'table' when 'p' then 'partitioned table' else 'view' end as definition
      from relation
    union all
    select 'column ' || relation.name || '.' || one.attname,
           pg_catalog.format_type(one.atttypid, one.atttypmod) || case when one.attnotnull then ' not null' else '' end
           || coalesce(' default ' || pg_catalog.pg_get_expr(usual.adbin, usual.adrelid), '')
      from relation
      join pg_catalog.pg_attribute as one on one.attrelid = relation.oid and one.attnum > 0 and not one.attisdropped
      left join pg_catalog.pg_attrdef as usual on usual.adrelid = one.attrelid and usual.adnum = one.attnum
    union all
    select 'index ' || split_part(relation.name, '.', 1) || '.' || class.relname, pg_catalog.pg_get_indexdef(class.oid)
      from relation
      join pg_catalog.pg_index as one on one.indrelid = relation.oid
      join pg_catalog.pg_class as class on class.oid = one.indexrelid
     -- What rests on an extension is not there where the extension is not.
     where not exists (
               select
                 from pg_catalog.pg_opclass as operators
                where operators.oid = any (one.indclass)
                  and operators.opcnamespace <> 'pg_catalog'::regnamespace
           )
    union all
    -- Versions of PostgreSQL write the conditions of checks in different ways: their names have to do.
    select 'constraint ' || relation.name || '.' || one.conname,
           case one.contype when 'c' then 'check' else pg_catalog.pg_get_constraintdef(one.oid) end
      from relation
      join pg_catalog.pg_constraint as one on one.conrelid = relation.oid
     where one.contype in ('c', 'p', 'u', 'f', 'x')
    union all
    select 'trigger ' || relation.name || '.' || one.tgname, pg_catalog.pg_get_triggerdef(one.oid)
      from relation
      join pg_catalog.pg_trigger as one on one.tgrelid = relation.oid and not one.tgisinternal
    union all
    select 'function ' || space.name || '.' || one.proname || '(' || pg_catalog.pg_get_function_identity_arguments(one.oid) || ')',
           md5(one.prosrc)
      from space
      join pg_catalog.pg_proc as one on one.pronamespace = space.oid
  ) as line
 order by line.object collate "C"
