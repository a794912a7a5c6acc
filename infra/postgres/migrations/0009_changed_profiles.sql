-- Changed profiles: where the sealed fields of the last change rest, beside those of the registration.
-- Breaks: an API or projector of an earlier release cannot read or write these tables; stop it first.

do $$
declare
    made int;
begin
    for made in select generation from read.generations where projection = 'user_profile' loop
        execute format(
            'alter table read.user_profile_g%s
                add profile_event uuid, add profile_schema smallint, add profile_sealed bytea',
            made
        );
    end loop;
    select generation into strict made from read.generations where projection = 'user_profile' and state = 'live';
    execute format('create or replace view read.user_profile as select * from read.user_profile_g%s', made);
end
$$;
