-- The bank is folded from the events of questions, which are few among those of students.
create index events_of_questions on events (position) where stream like 'question-%';
