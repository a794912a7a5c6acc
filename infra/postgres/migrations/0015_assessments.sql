-- Assessments are found in the log by the id that their events share.
create index events_assessments on events ((data ->> 'assessment_id'))
    where type in ('AssessmentStarted', 'AssessmentSubmitted');
