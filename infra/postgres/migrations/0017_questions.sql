-- The question bank as authors list it: a row for each question, as it was last published. Keys of questions are in it,
-- so queries on behalf of learners do not read it.

-- No log holds a question yet: it begins where the practice reports have come.
insert into read.cursors (projection, generation, part, position, event_id)
select 'question_bank', 1, part, position, event_id
from read.cursors join read.generations using (projection, generation)
where projection = 'progress_records' and state = 'live';

insert into read.generations (projection, generation, state, live_at)
values ('question_bank', 1, 'live', clock_timestamp());

create table read.question_bank_g1 (
    id uuid primary key,
    version int not null,
    position bigint not null,
    status text not null,
    type text not null,
    grade smallint not null,
    subject text not null,
    topic text not null,
    skill text,
    difficulty text not null,
    family text,
    source text,
    published_at timestamptz not null,
    -- The whole version as JSON, byte for byte as the log has it.
    content text not null
);

create index on read.question_bank_g1 (grade, subject, topic, position);

alter table read.question_bank_g1 enable row level security;
create policy granted on read.question_bank_g1 using (true) with check (true);

create view read.question_bank with (security_invoker = true) as select * from read.question_bank_g1;

create view questions with (security_invoker = true) as
select
    id, version, position, status, type, grade, subject, topic, skill, difficulty, family, source, published_at,
    content::json as content
from read.question_bank;

grant select, insert, update, delete on read.question_bank_g1, read.question_bank to afterschool_projector;
grant select on questions to afterschool_projector;
