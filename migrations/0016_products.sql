-- Products that can be found, filtered, archived and put into categories by hand.
--
-- Search data is kept by triggers, so that every writer of app.product has it: a vector in each row, and the words of a book in a table
-- of their own, by which the beginning of a word and a misspelt one are found. No extension is needed for that: not every PostgreSQL
-- that the service runs on has pg_trgm.
set local lock_timeout = '5s';

-- The parser takes "PINK/WHITE" for a path and "T-LIGHT" for a compound; here they are two words each.
create function app.search_text(given text) returns text language sql immutable strict parallel safe as $$
    select translate(given, '/\.-_@:&+,;()[]{}<>="|~#*%?!', '                             ')
$$;
comment on function app.search_text(text) is 'A text as searches read it: punctuation that would join words is white space.';

-- What identifies a product stands in its vector too, as words that no text has: an index then finds a frequent word within one owner.
create function app.search_vector(name text, description text, sku text, owner_id uuid, category_id integer, status text)
returns tsvector language sql immutable parallel safe as $$
    select setweight(to_tsvector('pg_catalog.english', app.search_text(name)), 'A')
        || setweight(to_tsvector('pg_catalog.english', coalesce(app.search_text(description), '')), 'C')
        || array_to_tsvector(array_remove(array[
            '=sku:' || lower(sku),
            '=owner:' || owner_id,
            '=category:' || category_id,
            case when status = 'archived' then '=archived' end
        ], null))
$$;
comment on function app.search_vector(text, text, text, uuid, integer, text) is
    'What a product is found by: the stems of its name (weight A) and description (C), its code, and its owner, category and status.';

-- Two words that one mistake lies between have one of these in common: a letter left out, put in, changed, or swapped with the next.
create function app.word_forms(word text) returns text[] language sql immutable strict parallel safe as $$
    select array_agg(distinct overlay(word placing '' from place for 1)) || word
    from generate_series(1, length(word)) as place
$$;
comment on function app.word_forms(text) is 'A word, and what is left of it without each of its letters.';

-- Words with digits are codes and sizes: they are found as they are, and there would be one of them a product.
create function app.words(name text, description text) returns setof text language sql immutable parallel safe as $$
    select lexeme
    from unnest(to_tsvector('pg_catalog.simple', app.search_text(concat_ws(' ', name, description))))
    where lexeme ~ '^[[:alpha:]]{2,40}$'
$$;
comment on function app.words(text, text) is 'The words of a product, as they are written.';

create table app.product_word (
    shard smallint not null default 0,
    book_id integer not null,
    word text collate "C" not null check (length(word) between 2 and 40),
    stem text not null,
    forms text[] not null,
    products integer not null default 0,
    counted integer not null default 0,
    added_at timestamptz not null default now(),
    primary key (shard, book_id, word)
) with (fillfactor = 70);
create index product_word_forms on app.product_word using gin (forms);
comment on table app.product_word is 'The words of a book''s products, by which searches complete and correct what was typed. Stop words are not among them.';
comment on column app.product_word.shard is 'Where the row lives; that of its book.';
comment on column app.product_word.book_id is 'The book whose products have it.';
comment on column app.product_word.word is 'As it is written, in lower case.';
comment on column app.product_word.stem is 'As it stands in app.product.search.';
comment on column app.product_word.forms is 'app.word_forms of it.';
comment on column app.product_word.products is 'How many products had it when products.reindex counted last: a hint, by which completions are ordered.';
comment on column app.product_word.counted is 'How many a run of products.reindex that is under way has found so far.';
comment on column app.product_word.added_at is 'When a product had it first.';

create function app.keep_search() returns trigger language plpgsql as $$
begin
    -- Who writes a category and does not say whose word it is has it from a rule.
    new.category_by := case when new.category_id is not null then coalesce(new.category_by, 'rule') end;
    new.search := app.search_vector(new.name, new.description, new.sku, new.owner_id, new.category_id, new.status);
    return new;
end
$$;
comment on function app.keep_search() is 'Keeps app.product.search, and app.product.category_by where nobody says.';

create function app.add_words(shards smallint[], books integer[], words text[]) returns void language sql as $$
    insert into app.product_word (shard, book_id, word, stem, forms)
    select stemmed.shard, stemmed.book_id, stemmed.word, stemmed.stems[1], app.word_forms(stemmed.word)
    from (
        select given.shard, given.book_id, given.word,
            tsvector_to_array(to_tsvector('pg_catalog.english', given.word)) as stems
        from unnest(shards, books, words) as given (shard, book_id, word)
        where not exists (
            select from app.product_word as known
            where known.shard = given.shard and known.book_id = given.book_id and known.word = given.word
        )
    ) as stemmed
    where stemmed.stems <> '{}'
    -- One order for everybody, so that two writers of new words never wait for each other.
    order by stemmed.shard, stemmed.book_id, stemmed.word
    on conflict do nothing
$$;
comment on function app.add_words(smallint[], integer[], text[]) is 'Adds those of these words that are new to app.product_word, unless they are stop words.';

create function app.keep_words() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        perform app.add_words(array_agg(found.shard), array_agg(found.book_id), array_agg(found.word))
        from (
            select distinct product.shard, product.book_id, word
            from changed as product
            cross join lateral app.words(product.name, product.description) as word
        ) as found;
    else
        perform app.add_words(array_agg(found.shard), array_agg(found.book_id), array_agg(found.word))
        from (
            select distinct product.shard, product.book_id, word
            from changed as product
            join previous on previous.shard = product.shard and previous.id = product.id
            cross join lateral app.words(product.name, product.description) as word
            where (previous.name, previous.description) is distinct from (product.name, product.description)
        ) as found;
    end if;
    return null;
end
$$;
comment on function app.keep_words() is 'Adds the words of new and of changed products to app.product_word.';

alter table app.category add constraint category_name check (length(name) between 1 and 100);
alter table app.category_rule add constraint category_rule_keyword_length check (length(keyword) <= 100);

alter table app.product
    add column category_by text check (category_by in ('rule', 'hand')),
    add column search tsvector;
comment on column app.product.category_by is 'Who said what category it is: a rule, or a person, whom no rule overrules; null: nobody yet.';
comment on column app.product.search is 'app.search_vector of the row; null in rows of an earlier release until products.reindex has run.';

create trigger keep_search before insert or update of name, description, sku, owner_id, category_id, status, search on app.product
    for each row execute function app.keep_search();
create trigger keep_words after insert on app.product
    referencing new table as changed for each statement execute function app.keep_words();
create trigger keep_changed_words after update on app.product
    referencing old table as previous new table as changed for each statement execute function app.keep_words();

-- A small table is filled here and now; of a large one that would be minutes under a lock, so its administrator runs products.reindex.
update app.product
set search = null
where (select count(*) from (select from app.product limit 100001) as few) <= 100000;
select app.add_words(array_agg(found.shard), array_agg(found.book_id), array_agg(found.word))
from (
    select distinct product.shard, product.book_id, word
    from app.product
    cross join lateral app.words(product.name, product.description) as word
    where product.search is not null
) as found;

create index product_search on app.product using gin (search);
create index product_owner on app.product (shard, owner_id, id);
create index product_category on app.product (shard, category_id, id);
create index product_price on app.product (shard, currency, price, id);
