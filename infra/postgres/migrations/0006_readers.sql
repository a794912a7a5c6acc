-- Readers of the broker: who shares the queues of a group, so that each process takes its part of them.

-- A process that has not renewed its row in time is gone; the others share what was its.
create table fanout.readers (
    id uuid primary key,
    reads text not null,
    until timestamptz not null
);

grant select, insert, update, delete on fanout.readers to afterschool_projector;
grant select on fanout.readers to afterschool_app;
