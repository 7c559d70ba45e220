-- habitat: environments development
INSERT INTO members VALUES (1, 'Ada', 'Lovelace');
