-- Pairing codes: for whom a code was issued is looked up in the log itself, by the code's keyed hash.

create index events_pairing_codes on events ((data ->> 'code_hash')) where type = 'PairingCodeIssued';
