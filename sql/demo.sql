-- demo: the story of `make demo` as a test. Whatever it prints is compared, so
-- every number in it is a tested one; sql/crm_erp.sql says where they come from.
-- This test makes the real schemas of the sample, so it runs in a database of
-- its own.
\getenv source PG_ABS_SRCDIR
\set data :source '/test/data/crm_erp'
\set story :source '/test/demo.sql'
\set home :DBNAME
CREATE DATABASE regress_demo;
\c regress_demo
SET client_min_messages = warning;
CREATE EXTENSION ssot;
-- The words of the story, not its statements.
\set ECHO none
\i :story
\set ECHO all
\c :home
DROP DATABASE regress_demo;
DROP ROLE ann, bob, sales, finance;
