-- Takes the whole trail away, also what has to be kept by law or contract: export it first.

DROP FUNCTION public.cleanup_old_audit_logs(integer);
DROP TABLE public.audit_log;
DROP FUNCTION public.refuse_audit_log_change();
