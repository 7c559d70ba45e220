-- Takes the weights and their whole history away. Export what has to be kept first.

DROP TABLE public.weight_override_history;
DROP FUNCTION public.refuse_weight_override_history_change();
DROP TABLE public.weight_overrides;
DROP FUNCTION public.track_weight_override_changes();
DROP FUNCTION public.set_updated_at();
