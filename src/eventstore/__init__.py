"""Event store: the log, one total order without holes. Read `record`, then `appender`, then `log`."""
