"""The operator's desk: keys, approvals, bulk enrolment, and the log of everything that was done."""
