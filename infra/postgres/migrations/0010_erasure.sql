-- Erasure: who is to be forgotten stands in the log; here stands for whom everything outside the log was done as well.

create index events_erasures on events (position) where type = 'UserErased';
create index events_registrations on events (position) where type = 'UserRegistered';

create table erasures (
    person_id uuid primary key,
    -- Of the event UserErased.
    position bigint not null,
    done_at timestamptz not null default clock_timestamp()
);

-- Who carries out the schedule of retention may delete what the API may not.
do $$
begin
    create role afterschool_housekeeper nologin;
exception when duplicate_object or unique_violation then
    null;
end
$$;

do $$
begin
    execute format('grant afterschool_housekeeper to %I', current_user);
end
$$;

grant usage on schema public to afterschool_housekeeper;
grant select on events, erasures to afterschool_housekeeper;
grant select, insert, update on erasures to afterschool_app;
grant select on sessions, sign_outs, refresh_tokens to afterschool_housekeeper;
grant delete on sessions, sign_outs to afterschool_housekeeper;
