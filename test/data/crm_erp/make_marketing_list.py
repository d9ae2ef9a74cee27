#!/usr/bin/env python3
"""Makes marketing_list.csv and marketing_truth.csv out of the people in cust_info.csv,
CUST_AZ12.csv and LOC_A101.csv: the list of a marketing tool that shares no key with
anybody. The people are real, the mistakes are made here. Same seed, same files.

usage: make_marketing_list.py [--seed 11] [--people 2600] [--twice 200] [--strangers 200]

Every entry is one person as somebody typed it, with these mistakes, each drawn on its own:

    12 %  one mistake in the first name (a letter left out, doubled, changed or swapped)
    12 %  one mistake in the last name
     4 %  first and last name in each other's place
    25 %  of those whose first name has a short form: the short form
     8 %  no birth date
     5 %  day and month exchanged, where that gives a date
     5 %  one digit of the birth date wrong
    10 %  no country
    10 %  all in capitals
     3 %  a blank before or after the last name

"--twice" of the people signed up a second time, with mistakes of their own. "--strangers"
are nobody in the files: first name, last name and birth date come from three different
people, and the three together from none.

marketing_truth.csv names the customer key of each entry; it is empty for a stranger.
"""
import argparse
import csv
import datetime
import os
import random

HERE = os.path.dirname(os.path.abspath(__file__))
LETTERS = 'abcdefghijklmnopqrstuvwxyz'
SHORT = {
    'alexander': 'Alex', 'andrew': 'Andy', 'anthony': 'Tony', 'benjamin': 'Ben', 'catherine': 'Cathy',
    'charles': 'Charlie', 'christopher': 'Chris', 'daniel': 'Dan', 'deborah': 'Debbie', 'donald': 'Don',
    'edward': 'Ed', 'elizabeth': 'Liz', 'gabriel': 'Gabe', 'gregory': 'Greg', 'james': 'Jim',
    'jennifer': 'Jenny', 'jessica': 'Jess', 'jonathan': 'Jon', 'joseph': 'Joe', 'katherine': 'Kate',
    'kimberly': 'Kim', 'lawrence': 'Larry', 'margaret': 'Maggie', 'matthew': 'Matt', 'michael': 'Mike',
    'nathan': 'Nate', 'nicholas': 'Nick', 'patricia': 'Pat', 'patrick': 'Pat', 'peter': 'Pete',
    'rebecca': 'Becky', 'richard': 'Rick', 'robert': 'Bob', 'ronald': 'Ron', 'samantha': 'Sam',
    'samuel': 'Sam', 'stephanie': 'Steph', 'steven': 'Steve', 'susan': 'Sue', 'thomas': 'Tom',
    'timothy': 'Tim', 'victoria': 'Vicky', 'william': 'Bill', 'zachary': 'Zach',
}
COUNTRIES = {
    'US': ['USA', 'United States', 'US', 'U.S.A.'], 'AU': ['Australia', 'AU', 'AUS'],
    'GB': ['United Kingdom', 'UK', 'GB', 'Great Britain'], 'FR': ['France', 'FR'],
    'DE': ['Germany', 'DE', 'Deutschland'], 'CA': ['Canada', 'CA'],
}
CODES = {'United States': 'US', 'USA': 'US', 'US': 'US', 'Australia': 'AU', 'United Kingdom': 'GB',
         'France': 'FR', 'Germany': 'DE', 'DE': 'DE', 'Canada': 'CA'}


def rows(name):
    with open(os.path.join(HERE, name), newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def people():
    """The customers that are in all three files, once each, as (key, first, last, born, country)."""
    born = {r['CID'].replace('NAS', ''): r['BDATE'].strip() for r in rows('CUST_AZ12.csv')}
    land = {r['CID'].replace('-', ''): CODES.get(r['CNTRY'].strip(), '') for r in rows('LOC_A101.csv')}
    found = {}
    for r in rows('cust_info.csv'):
        key = r['cst_key'].strip()
        first, last = r['cst_firstname'].strip(), r['cst_lastname'].strip()
        if first and last and '1900-01-01' <= born.get(key, '') <= '2026-01-01':
            found[key] = (key, first, last, born[key], land.get(key, ''))
    return [found[key] for key in sorted(found)]


def mistake(r, word):
    """The word with one typing mistake in it."""
    if len(word) < 3:
        return word + word[-1]
    i = r.randrange(1, len(word))
    kind = r.randrange(4)
    if kind == 0:
        return word[:i] + word[i + 1:]
    if kind == 1:
        return word[:i] + word[i] + word[i:]
    if kind == 2:
        return word[:i] + r.choice([c for c in LETTERS if c != word[i].lower()]) + word[i + 1:]
    i = min(i, len(word) - 2)
    return word[:i] + word[i + 1] + word[i] + word[i + 2:]


def date_mistake(r, born):
    """The date with one digit of its day or of the last two of its year changed."""
    while True:
        i = r.choice([2, 3, 8, 9])
        wrong = born[:i] + r.choice([c for c in '0123456789' if c != born[i]]) + born[i + 1:]
        try:
            datetime.date.fromisoformat(wrong)
        except ValueError:
            continue
        return wrong


def typed(r, person):
    """One entry: (first, last, born, country) as somebody typed it."""
    _, first, last, born, country = person
    if first.lower() in SHORT and r.random() < .25:
        first = SHORT[first.lower()]
    if r.random() < .12:
        first = mistake(r, first)
    if r.random() < .12:
        last = mistake(r, last)
    if r.random() < .04:
        first, last = last, first
    chance = r.random()
    if chance < .08:
        born = ''
    elif chance < .13 and int(born[8:]) <= 12:
        born = born[:5] + born[8:] + '-' + born[5:7]
    elif chance < .18:
        born = date_mistake(r, born)
    country = r.choice(COUNTRIES[country]) if country and r.random() >= .10 else ''
    if r.random() < .10:
        first, last = first.upper(), last.upper()
    if r.random() < .03:
        last = r.choice([last + ' ', ' ' + last])
    return first, last, born, country


def strangers(r, known, count):
    taken = {person[1:4] for person in known}
    made = []
    while len(made) < count:
        one, two, three = r.sample(known, 3)
        if (one[1], two[2], three[3]) not in taken:
            made.append(('', one[1], two[2], three[3], three[4]))
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--seed', type=int, default=11)
    parser.add_argument('--people', type=int, default=2600)
    parser.add_argument('--twice', type=int, default=200)
    parser.add_argument('--strangers', type=int, default=200)
    args = parser.parse_args()
    r = random.Random(args.seed)

    known = people()
    chosen = r.sample(known, args.people)
    listed = chosen + r.sample(chosen, args.twice) + strangers(r, known, args.strangers)
    r.shuffle(listed)

    signed_up = datetime.date(2025, 1, 2)
    with open(os.path.join(HERE, 'marketing_list.csv'), 'w', newline='', encoding='utf-8') as out, \
            open(os.path.join(HERE, 'marketing_truth.csv'), 'w', newline='', encoding='utf-8') as truth:
        entries = csv.writer(out, lineterminator='\r\n')
        keys = csv.writer(truth, lineterminator='\n')
        entries.writerow(['entry', 'first_name', 'last_name', 'born', 'country', 'signed_up'])
        keys.writerow(['entry', 'cst_key'])
        for number, person in enumerate(listed, 1):
            signed_up += datetime.timedelta(days=r.random() < .1)
            entries.writerow([number, *typed(r, person), signed_up.isoformat()])
            keys.writerow([number, person[0]])


if __name__ == '__main__':
    main()
