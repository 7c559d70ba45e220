-- habitat: placeholders greeting
CREATE TABLE greetings (text text NOT NULL DEFAULT ${greeting:literal});
