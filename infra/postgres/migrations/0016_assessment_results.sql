-- Results of assessments, one row each; fenced like the other read models.

-- No log holds a result yet: it begins where the practice reports have come.
insert into read.cursors (projection, generation, part, position, event_id)
select 'assessment_results', 1, part, position, event_id
from read.cursors join read.generations using (projection, generation)
where projection = 'progress_records' and state = 'live';

insert into read.generations (projection, generation, state, live_at)
values ('assessment_results', 1, 'live', clock_timestamp());

create table read.assessment_results_g1 (
    student_id uuid not null,
    position bigint not null,
    assessment_id uuid not null,
    subject text not null,
    topic text not null,
    score int not null,
    correct int not null,
    total int not null,
    time_spent int not null,
    submitted_at timestamptz not null,
    created_at timestamptz not null,
    primary key (student_id, position)
);

alter table read.assessment_results_g1 enable row level security;
create policy granted on read.assessment_results_g1 using (true) with check (true);
create policy visible on read.assessment_results_g1 as restrictive for select to afterschool_queries
    using (student_id = any (array(select visible_people())));

create view read.assessment_results with (security_invoker = true) as select * from read.assessment_results_g1;

grant select on read.assessment_results_g1, read.assessment_results to afterschool_queries;
grant select, insert, update, delete on read.assessment_results_g1, read.assessment_results to afterschool_projector;
