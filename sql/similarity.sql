--
-- similarity: how alike two texts are, against slow and plain references on
-- random strings, and against fuzzystrmatch and pg_trgm where these measure the
-- same thing
--
\pset null '(null)'
SET client_min_messages = warning;
CREATE SCHEMA t_similarity;
SET search_path = t_similarity;
CREATE EXTENSION fuzzystrmatch SCHEMA t_similarity;
CREATE EXTENSION pg_trgm SCHEMA t_similarity;
SET client_min_messages = notice;

-- values known from the literature
SELECT k.a, k.b, round(ssot.jaro(k.a, k.b)::numeric, 3) AS jaro,
       round(ssot.jaro_winkler(k.a, k.b)::numeric, 3) AS winkler,
       ssot.levenshtein(k.a, k.b) AS levenshtein, ssot.damerau(k.a, k.b) AS damerau
  FROM (VALUES ('MARTHA', 'MARHTA'), ('DIXON', 'DICKSONX'), ('DWAYNE', 'DUANE'),
               ('kitten', 'sitting'), ('ca', 'abc'), ('ab', 'ba'), ('a', 'b'), ('a', 'a'),
               ('', ''), ('', 'abc'), ('Müller', 'Muller'), ('日本語', '日語本'),
               ('naïve 😀', 'naive 😀'), ('SHACKLEFORD', 'SHACKELFORD')) AS k (a, b);

-- null in, null out
SELECT ssot.jaro(NULL, 'a') AS jaro, ssot.jaro_winkler('a', NULL) AS winkler,
       ssot.levenshtein('a', NULL) AS levenshtein, ssot.levenshtein('a', 'b', NULL) AS bounded,
       ssot.damerau(NULL, 'b') AS damerau, ssot.trigram('a', NULL) AS trigram,
       ssot.dice(NULL, 'a') AS dice, ssot.token_set(NULL, 'a') AS token_set,
       ssot.soft_tfidf('a', NULL) AS soft_tfidf, ssot.phonetic(NULL) AS phonetic;

-- characters, not bytes; and nothing is folded
SELECT ssot.levenshtein('ß', 's') AS one, ssot.levenshtein('A', 'a') AS folded_not,
       ssot.levenshtein(U&'e\0301', 'é') AS composed_not,
       ssot.levenshtein(ssot.normalize_text(U&'e\0301'), ssot.normalize_text('é')) AS normalised;

-- Plain references: one cell, one character at a time.
CREATE FUNCTION plain_edits(a text, b text, exchange boolean) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    x text[] := string_to_array(a, NULL);
    y text[] := string_to_array(b, NULL);
    n int := coalesce(cardinality(x), 0);
    m int := coalesce(cardinality(y), 0);
    d int[] := array_fill(0, ARRAY[(n + 1) * (m + 1)]);
    w int := m + 1;
    best int;
BEGIN
    FOR i IN 0..n LOOP d[i * w + 1] := i; END LOOP;
    FOR j IN 0..m LOOP d[j + 1] := j; END LOOP;
    FOR i IN 1..n LOOP
        FOR j IN 1..m LOOP
            best := least(d[(i - 1) * w + j + 1] + 1, d[i * w + j] + 1,
                          d[(i - 1) * w + j] + (x[i] <> y[j])::int);
            IF exchange AND i > 1 AND j > 1 AND x[i] = y[j - 1] AND x[i - 1] = y[j] THEN
                best := least(best, d[(i - 2) * w + j - 1] + 1);
            END IF;
            d[i * w + j + 1] := best;
        END LOOP;
    END LOOP;
    RETURN d[n * w + m + 1];
END
$$;

CREATE FUNCTION plain_jaro(a text, b text) RETURNS double precision
LANGUAGE plpgsql AS $$
DECLARE
    x text[] := string_to_array(a, NULL);
    y text[] := string_to_array(b, NULL);
    n int := coalesce(cardinality(x), 0);
    m int := coalesce(cardinality(y), 0);
    reach int := greatest(greatest(n, m) / 2 - 1, 0);
    taken boolean[] := array_fill(false, ARRAY[m + 1]);
    of_a text[] := '{}';
    of_b text[] := '{}';
    k int;
    astray int := 0;
BEGIN
    IF n = 0 OR m = 0 THEN RETURN (n = m)::int; END IF;
    FOR i IN 1..n LOOP
        FOR j IN greatest(1, i - reach)..least(m, i + reach) LOOP
            IF NOT taken[j] AND x[i] = y[j] THEN
                taken[j] := true;
                of_a := of_a || x[i];
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    FOR j IN 1..m LOOP
        IF taken[j] THEN of_b := of_b || y[j]; END IF;
    END LOOP;
    k := cardinality(of_a);
    IF k = 0 THEN RETURN 0; END IF;
    FOR i IN 1..k LOOP
        astray := astray + (of_a[i] <> of_b[i])::int;
    END LOOP;
    RETURN (k::float8 / n + k::float8 / m + (k - astray / 2)::float8 / k) / 3;
END
$$;

CREATE FUNCTION plain_lcs(a text, b text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    x text[] := string_to_array(a, NULL);
    y text[] := string_to_array(b, NULL);
    m int := coalesce(cardinality(y), 0);
    above int[] := array_fill(0, ARRAY[m + 1]);
    here int[];
BEGIN
    FOR i IN 1..coalesce(cardinality(x), 0) LOOP
        here := array_fill(0, ARRAY[m + 1]);
        FOR j IN 1..m LOOP
            here[j + 1] := CASE WHEN x[i] = y[j] THEN above[j] + 1
                                ELSE greatest(above[j + 1], here[j]) END;
        END LOOP;
        above := here;
    END LOOP;
    RETURN above[m + 1];
END
$$;

-- Random strings: pairs of which one is the other with some edits, and pairs of
-- strangers; short, around 64 characters and long; few letters, many, and
-- letters of several scripts.
CREATE FUNCTION random_text(alphabet text, n int) RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(string_agg(substr(alphabet, 1 + floor(random() * length(alphabet))::int, 1), ''), '')
      FROM generate_series(1, n)
$$;
CREATE FUNCTION edited(value text, alphabet text, edits int) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    p int;
BEGIN
    FOR i IN 1..edits LOOP
        p := 1 + floor(random() * (length(value) + 1))::int;
        value := CASE floor(random() * 4)::int
                 WHEN 0 THEN overlay(value PLACING '' FROM p FOR 1)
                 WHEN 1 THEN overlay(value PLACING random_text(alphabet, 1) FROM p FOR 0)
                 WHEN 2 THEN overlay(value PLACING random_text(alphabet, 1) FROM p FOR 1)
                 ELSE overlay(value PLACING reverse(substr(value, p, 2)) FROM p FOR 2) END;
    END LOOP;
    RETURN value;
END
$$;
SELECT setseed(0.5);
CREATE TABLE pair AS
SELECT c.no, c.long, c.a,
       CASE WHEN c.no % 3 = 0 THEN random_text(c.alphabet, c.other) ELSE edited(c.a, c.alphabet, c.edits) END AS b
  FROM (SELECT s.no, s.no > 1500 AS long, l.alphabet, random_text(l.alphabet, s.n) AS a, s.other, s.edits
          FROM (SELECT i AS no,
                       CASE WHEN i <= 1500 THEN floor(random() * 20)::int
                            ELSE (ARRAY[62, 63, 64, 65, 66, 127, 128, 129, 150, 200])[1 + i % 10] END AS n,
                       CASE WHEN i <= 1500 THEN floor(random() * 20)::int
                            ELSE floor(random() * 200)::int END AS other,
                       1 + floor(random() * CASE WHEN i <= 1500 THEN 4 ELSE 12 END)::int AS edits
                  FROM generate_series(1, 1560) AS i) AS s,
               LATERAL (SELECT (ARRAY['ab', 'abcd ', 'abcdefghijklmnopqrstuvwxyz', 'abäßé', 'aбвгд日本語😀 '])[1 + s.no % 5] AS alphabet) AS l) AS c;
SELECT count(*) AS pairs, count(*) FILTER (WHERE length(p.a) > 64 AND length(p.b) > 64) AS long_pairs,
       count(*) FILTER (WHERE octet_length(p.a) > length(p.a)) AS beyond_ascii
  FROM pair AS p;

-- No pair may appear in any of these.
SELECT p.no, p.a, p.b, ssot.levenshtein(p.a, p.b), plain_edits(p.a, p.b, false) AS plain
  FROM pair AS p WHERE ssot.levenshtein(p.a, p.b) <> plain_edits(p.a, p.b, false);
SELECT p.no, p.a, p.b, ssot.damerau(p.a, p.b), plain_edits(p.a, p.b, true) AS plain
  FROM pair AS p WHERE ssot.damerau(p.a, p.b) <> plain_edits(p.a, p.b, true);
SELECT p.no, p.a, p.b, ssot.jaro(p.a, p.b), plain_jaro(p.a, p.b) AS plain
  FROM pair AS p WHERE abs(ssot.jaro(p.a, p.b) - plain_jaro(p.a, p.b)) > 1e-12;
SELECT p.no, p.a, p.b
  FROM pair AS p,
       LATERAL (SELECT ssot.jaro(p.a, p.b) AS jaro,
                       (SELECT count(*) FROM generate_series(1, 4) AS i
                         WHERE length(p.a) >= i AND left(p.a, i) = left(p.b, i) AND length(p.b) >= i) AS prefix) AS j
 WHERE abs(ssot.jaro_winkler(p.a, p.b)
           - CASE WHEN j.jaro > 0.7 THEN j.jaro + j.prefix * 0.1 * (1 - j.jaro) ELSE j.jaro END) > 1e-12;

-- bounded: the distance up to the bound, bound + 1 beyond it
SELECT p.no, m.bound, ssot.levenshtein(p.a, p.b, m.bound), ssot.levenshtein(p.a, p.b)
  FROM pair AS p CROSS JOIN (VALUES (0), (1), (2), (3), (8), (40), (2147483647)) AS m (bound)
 WHERE ssot.levenshtein(p.a, p.b, m.bound) <> least(ssot.levenshtein(p.a, p.b), m.bound::bigint + 1)
    OR ssot.damerau(p.a, p.b, m.bound) <> least(ssot.damerau(p.a, p.b), m.bound::bigint + 1);

-- symmetric
SELECT p.no, p.a, p.b
  FROM pair AS p
 WHERE ssot.jaro(p.a, p.b) <> ssot.jaro(p.b, p.a)
    OR ssot.jaro_winkler(p.a, p.b) <> ssot.jaro_winkler(p.b, p.a)
    OR ssot.levenshtein(p.a, p.b) <> ssot.levenshtein(p.b, p.a)
    OR ssot.damerau(p.a, p.b) <> ssot.damerau(p.b, p.a)
    OR ssot.trigram(p.a, p.b) <> ssot.trigram(p.b, p.a)
    OR ssot.dice(p.a, p.b) <> ssot.dice(p.b, p.a)
    OR ssot.token_set(p.a, p.b) <> ssot.token_set(p.b, p.a)
    OR ssot.soft_tfidf(p.a, p.b) <> ssot.soft_tfidf(p.b, p.a);

-- fuzzystrmatch, as far as it goes (255 bytes)
SELECT p.no, p.a, p.b
  FROM pair AS p
 WHERE octet_length(p.a) < 256 AND octet_length(p.b) < 256
   AND ssot.levenshtein(p.a, p.b) <> levenshtein(p.a, p.b);
-- pg_trgm, on words of ASCII (it leaves words of punctuation out, as we do)
SELECT p.no, p.a, p.b, ssot.trigram(p.a, p.b), similarity(p.a, p.b)
  FROM pair AS p
 WHERE p.a ~ '[a-z]' AND p.b ~ '[a-z]' AND octet_length(p.a) = length(p.a) AND octet_length(p.b) = length(p.b)
   AND abs(ssot.trigram(p.a, p.b) - similarity(p.a, p.b)) > 1e-6;
SELECT p.no FROM pair AS p
 WHERE abs(ssot.dice(p.a, p.b) - 2 * ssot.trigram(p.a, p.b) / (1 + ssot.trigram(p.a, p.b))) > 1e-12;

-- token_set, from its definition
CREATE FUNCTION plain_ratio(a text, b text) RETURNS double precision
LANGUAGE sql AS $$
    SELECT CASE WHEN a = '' AND b = '' THEN 1 ELSE 2.0 * plain_lcs(a, b) / (length(a) + length(b)) END
$$;
CREATE FUNCTION plain_token_set(a text, b text) RETURNS double precision
LANGUAGE sql AS $$
    WITH x AS (SELECT DISTINCT w COLLATE "C" AS w FROM regexp_split_to_table(a, ' +') AS w WHERE w <> ''),
         y AS (SELECT DISTINCT w COLLATE "C" AS w FROM regexp_split_to_table(b, ' +') AS w WHERE w <> ''),
         s AS (SELECT coalesce((SELECT string_agg(w, ' ' ORDER BY w) FROM x WHERE w IN (SELECT w FROM y)), '') AS both_have,
                      coalesce((SELECT string_agg(w, ' ' ORDER BY w) FROM x WHERE w NOT IN (SELECT w FROM y)), '') AS x_has,
                      coalesce((SELECT string_agg(w, ' ' ORDER BY w) FROM y WHERE w NOT IN (SELECT w FROM x)), '') AS y_has),
         j AS (SELECT both_have, trim(both_have || ' ' || x_has) AS xs, trim(both_have || ' ' || y_has) AS ys FROM s)
    SELECT CASE WHEN xs = '' OR ys = '' THEN (xs = ys)::int::float8
                WHEN both_have = '' THEN plain_ratio(xs, ys)
                ELSE greatest(plain_ratio(both_have, xs), plain_ratio(both_have, ys),
                              CASE WHEN xs <> both_have AND ys <> both_have
                                   THEN 2.0 * (length(both_have) + 1 + plain_lcs(substr(xs, length(both_have) + 2),
                                                                                 substr(ys, length(both_have) + 2)))
                                        / (length(xs) + length(ys)) END)
           END FROM j
$$;
SELECT p.no, p.a, p.b, ssot.token_set(p.a, p.b), plain_token_set(p.a, p.b) AS plain
  FROM pair AS p
 WHERE p.no % 5 IN (1, 4) AND abs(ssot.token_set(p.a, p.b) - plain_token_set(p.a, p.b)) > 1e-12;
SELECT ssot.token_set('acme trading', 'trading  acme berlin acme') AS subset,
       round(ssot.token_set('acme trading', 'acme shipping')::numeric, 3) AS half,
       ssot.token_set('', '') AS empty, ssot.token_set('', 'a') AS nothing;

-- soft TF-IDF: weights decide which words matter
CREATE TABLE company (name text);
INSERT INTO company
VALUES ('first national bank'), ('second national bank'), ('national bank of texas'), ('city bank'), ('acme industries');
SELECT jsonb_pretty(ssot.token_weights(array_agg(c.name))) AS weights FROM company AS c;
SELECT round(ssot.soft_tfidf('first national bank', 'second national bank')::numeric, 3) AS alike_unweighted,
       round(ssot.soft_tfidf('first national bank', 'second national bank', w.weights)::numeric, 3) AS alike,
       round(ssot.soft_tfidf('acme industries', 'acmee industries', w.weights)::numeric, 3) AS misspelt,
       round(ssot.soft_tfidf('acme industries', 'acmee industries', w.weights, 1)::numeric, 3) AS exact_words_only,
       round(ssot.soft_tfidf('acme industries', 'industries acme', w.weights)::numeric, 3) AS reordered
  FROM (SELECT ssot.token_weights(array_agg(c.name)) AS weights FROM company AS c) AS w;
-- by hand: the cosine of two vectors with one word in common, (ln 2)^2 / (ln 2 sqrt 2)^2
SELECT round(ssot.soft_tfidf('a b', 'a c')::numeric, 6) AS half,
       round(ssot.soft_tfidf('a b', 'a c', '{"a": 3, "b": 4, "c": 0}')::numeric, 6) AS three_fifths,
       ssot.soft_tfidf('a', 'b', '{"": 0}') AS no_weight;

-- phonetic keys: Postel's examples and those of the US National Archives
SELECT w.word, ssot.phonetic(w.word) AS cologne
  FROM (VALUES ('Wikipedia'), ('Müller-Lüdenscheidt'), ('Breschnew'), ('Meyer'), ('Maier'), ('Mayr'), ('Philipp'), ('Filip'),
               ('Xaver'), ('Cäsar'), ('Christian Kristian'), ('Schmidt'), ('Šmit'), ('Häschen'), ('42'), ('Ohm')) AS w (word);
SELECT w.word, ssot.phonetic(w.word, 'soundex') AS soundex
  FROM (VALUES ('Robert'), ('Rupert'), ('Rubin'), ('Ashcraft'), ('Ashcroft'), ('Tymczak'), ('Pfister'), ('Honeyman'),
               ('Jackson'), ('VanDeusen'), ('Lee')) AS w (word);
-- fuzzystrmatch's Soundex, where no h or w parts two letters
SELECT p.no, p.a, ssot.phonetic(p.a, 'soundex'), soundex(p.a)
  FROM pair AS p
 WHERE p.no % 5 = 2 AND p.a ~ '^[a-z]+$' AND p.a !~ '[hw]' AND ssot.phonetic(p.a, 'soundex') <> soundex(p.a);

-- long texts: time and memory grow gently, and the limit says what to do
SELECT ssot.levenshtein(repeat('abcdefghij', 1000), repeat('abcdefghij', 999) || 'abcdefghix') AS long_levenshtein,
       ssot.levenshtein(repeat('ab', 5000), repeat('ba', 5000)) AS long_shifted,
       ssot.levenshtein(repeat('日本', 5000), repeat('本日', 5000), 1) AS long_bounded,
       round(ssot.jaro(repeat('ab', 5000), repeat('ba', 5000))::numeric, 6) AS long_jaro,
       ssot.trigram(repeat('ab ', 3000), repeat('ab ', 2000)) AS long_trigram,
       ssot.token_set(repeat('ab ', 3000), repeat('cd ', 3000)) AS long_token_set,
       ssot.soft_tfidf(repeat('ab ', 3000), repeat('ab ', 2000)) AS long_soft_tfidf;
SELECT ssot.levenshtein(repeat('a', 2000000), 'b'); -- ERROR
SELECT ssot.levenshtein('a', 'b', -1); -- ERROR
SELECT ssot.soft_tfidf('a', 'b', '[1]'); -- ERROR
SELECT ssot.soft_tfidf('a', 'b', '{"a": "much"}'); -- ERROR
SELECT ssot.phonetic('a', 'metaphone'); -- ERROR

-- cancelled in time
SET statement_timeout = '200ms';
SELECT ssot.levenshtein(repeat('ab', 500000), repeat('bca', 300000)); -- ERROR
RESET statement_timeout;
SELECT ssot.levenshtein('still', 'works') AS after_cancel;

SET client_min_messages = warning;
DROP SCHEMA t_similarity CASCADE;
