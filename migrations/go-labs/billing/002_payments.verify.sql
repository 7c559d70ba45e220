SELECT to_regclass('billing.payments') IS NOT NULL AND to_regclass('billing.open_amounts') IS NOT NULL;
