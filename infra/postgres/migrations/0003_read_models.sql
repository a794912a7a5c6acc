-- The read models: rebuilt from the log at any time; each table carries its generation, each view the platform's name.

create schema read;

-- How far each projection has folded each part of the log, and how many events it applied.
create table read.cursors (
    projection text not null,
    generation int not null,
    part smallint not null,
    position bigint not null default 0,
    event_id uuid,
    applied bigint not null default 0,
    primary key (projection, generation, part)
) with (fillfactor = 50);

insert into read.cursors (projection, generation, part)
select projection, 1, part
from unnest(array['user_profile', 'progress_records', 'progress_summary']) as projection, generate_series(0, 63) as part;

create table read.user_profile_g1 (
    user_id uuid primary key,
    position bigint not null,
    recorded_at timestamptz not null,
    role text not null,
    grade_level smallint,
    timezone text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    sealed_in text not null,
    sealed_event uuid not null,
    sealed_schema smallint not null,
    sealed bytea not null
);

create table read.progress_records_g1 (
    student_id uuid not null,
    position bigint not null,
    id uuid not null,
    subject text not null,
    topic text not null,
    score int not null,
    time_spent int not null,
    completed boolean not null,
    source text not null,
    occurred_at timestamptz not null,
    created_at timestamptz not null,
    primary key (student_id, position)
);

create table read.progress_students_g1 (
    student_id uuid primary key,
    position bigint not null,
    recorded_at timestamptz not null,
    timezone text
) with (fillfactor = 80);

create table read.progress_topics_g1 (
    student_id uuid not null,
    subject text not null,
    topic text not null,
    source text not null,
    records int not null,
    score_sum bigint not null,
    best_score int not null,
    last_score int not null,
    last_at timestamptz not null,
    last_position bigint not null,
    completed int not null,
    time_spent bigint not null,
    primary key (student_id, subject, topic, source)
) with (fillfactor = 80);

-- Activity by quarter of an hour in UTC, from which the days of any time zone can be put together.
create table read.progress_activity_g1 (
    student_id uuid not null,
    slot timestamptz not null,
    records int not null,
    time_spent bigint not null,
    primary key (student_id, slot)
) with (fillfactor = 80);

create view users as
select user_id as id, role, created_at from read.user_profile_g1;

create view profiles as
select user_id, grade_level, timezone, created_at, updated_at from read.user_profile_g1;

create view progress as
select
    id, student_id, subject, topic, score / 100.0 as score, time_spent, completed, source, occurred_at, created_at
from read.progress_records_g1;

grant usage on schema read to afterschool_app, afterschool_projector;
grant select on all tables in schema read to afterschool_app;
grant select, insert, update, delete on all tables in schema read to afterschool_projector;
grant select on users, profiles, progress to afterschool_app, afterschool_projector;
