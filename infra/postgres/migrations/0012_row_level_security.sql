-- Row-level security: whoever asks finds the rows of the people they may see and no others, whatever the query says.
-- Queries of the API act as a role of their own, each in a transaction that names the viewer in `afterschool.viewer`.

do $$
begin
    begin
        create role afterschool_queries nologin;
    exception when duplicate_object or unique_violation then
        null;
    end;
    execute format('grant afterschool_queries to %I', current_user);
end
$$;

-- Whom the viewer of this transaction may see: themself and the children they are linked to, as the log has it at this
-- very moment. Nobody where no viewer is named, nobody who is erased, and nobody to one who is.
create function visible_people() returns setof uuid language sql stable security definer rows 3
    set search_path = public, pg_temp
as $$
    with viewer as (
        select nullif(current_setting('afterschool.viewer', true), '')::uuid as id
    ), links as (
        select distinct on (data ->> 'child_id') type, (data ->> 'child_id')::uuid as child_id
        from events join viewer on stream = 'user-' || viewer.id
        where type in ('ChildLinked', 'ChildUnlinked')
        order by data ->> 'child_id', version desc
    ), people as (
        select id from viewer
        union all
        select child_id from links where type = 'ChildLinked'
    )
    select people.id from people cross join viewer
    where not exists (
        select from events
        where stream in ('user-' || people.id, 'user-' || viewer.id) and type = 'UserErased'
    ) and people.id is not null
$$;

revoke execute on function visible_people from public;
grant execute on function visible_people to afterschool_queries;

grant usage on schema public, read to afterschool_queries;
grant select on events, reads to afterschool_queries;
grant select on
    read.user_profile, read.progress_records, read.progress_students, read.progress_topics, read.progress_activity
to afterschool_queries;

-- The fence only takes away: what other roles may do is a matter of grants, as before.
alter table events enable row level security;
create policy granted on events using (true) with check (true);
create policy visible on events as restrictive for select to afterschool_queries
    using (subject = any (array(select visible_people())));

alter table reads enable row level security;
create policy granted on reads using (true) with check (true);
create policy visible on reads as restrictive for select to afterschool_queries
    using (student = any (array(select visible_people())));

-- Every generation of the read models. The role that appends has no business here.
do $$
declare
    model regclass;
    person name;
begin
    for model, person in
        select attrelid, attname from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace = 'read'::regnamespace and relkind = 'r' and attnum = 1 and relname ~ '_g[0-9]+$'
    loop
        execute format('revoke all on %s from afterschool_app', model);
        execute format('grant select on %s to afterschool_queries', model);
        execute format('alter table %s enable row level security', model);
        execute format('create policy granted on %s using (true) with check (true)', model);
        execute format(
            'create policy visible on %s as restrictive for select to afterschool_queries'
            ' using (%I = any (array(select visible_people())))',
            model, person
        );
    end loop;
end
$$;

-- A view looks with the rights of its owner unless told otherwise, and owners are not fenced.
do $$
declare
    shown regclass;
begin
    foreach shown in array array[
        'read.user_profile', 'read.progress_records', 'read.progress_students', 'read.progress_topics',
        'read.progress_activity', 'users', 'profiles', 'progress'
    ]::regclass[] loop
        execute format('alter view %s set (security_invoker = true)', shown);
        execute format('revoke all on %s from afterschool_app', shown);
    end loop;
end
$$;
