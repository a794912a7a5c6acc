-- Generations of the read models, the views that serve one of them, and the events that could not be folded.

-- A generation is filled from the log beside the others, then fed with them; readers see the live one.
create table read.generations (
    projection text not null,
    generation int not null,
    state text not null check (state in ('filling', 'fed', 'live')),
    made_at timestamptz not null default clock_timestamp(),
    live_at timestamptz,
    primary key (projection, generation)
);

create unique index generations_live on read.generations (projection) where state = 'live';

insert into read.generations (projection, generation, state, live_at)
select projection, 1, 'live', clock_timestamp() from read.cursors group by projection;

-- How many events of its part wait in `parked_events`; while it is 0, nobody looks there.
alter table read.cursors add parked int not null default 0;

-- Events that could not be folded, and those of the same student behind them. The handled events up to a cursor are
-- those applied and those here, the discarded ones included.
create table read.parked_events (
    projection text not null,
    generation int not null,
    position bigint not null,
    part smallint not null,
    student_id uuid not null,
    error text not null,
    tries int not null default 1,
    parked_at timestamptz not null default clock_timestamp(),
    discarded_at timestamptz,
    primary key (projection, generation, position)
);

create index parked_events_student on read.parked_events (student_id, position);

create view read.user_profile as select * from read.user_profile_g1;
create view read.progress_records as select * from read.progress_records_g1;
create view read.progress_students as select * from read.progress_students_g1;
create view read.progress_topics as select * from read.progress_topics_g1;
create view read.progress_activity as select * from read.progress_activity_g1;

create or replace view users as
select user_id as id, role, created_at from read.user_profile;

create or replace view profiles as
select user_id, grade_level, timezone, created_at, updated_at from read.user_profile;

create or replace view progress as
select
    id, student_id, subject, topic, score / 100.0 as score, time_spent, completed, source, occurred_at, created_at
from read.progress_records;

grant select on all tables in schema read to afterschool_app;
grant select, insert, update, delete on all tables in schema read to afterschool_projector;
