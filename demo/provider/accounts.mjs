// The accounts that can be chosen: a JSON file, read anew for every page, so that tests may change it.
//
//   {"accounts": [{"email": "…", "name": "…", "hosted_domain": "…"|null, "email_verified": true,
//                  "id": "…" (default: made from the address), "group": {"bg": "…", "en": "…"},
//                  "hint": {"bg": "…", "en": "…"}}]}

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

// Google's subject is a number of 21 digits that stays when an address changes.
function makeSubject(email) {
  const digits = BigInt(`0x${createHash("sha256").update(email).digest("hex").slice(0, 20)}`);
  return (10n ** 20n + (digits % 10n ** 20n)).toString();
}

function readAccount(entry) {
  return { email_verified: true, hosted_domain: null, name: entry.email ?? "", ...entry, id: entry.id ?? makeSubject(entry.email) };
}

export function loadAccounts(file) {
  return JSON.parse(readFileSync(file, "utf-8")).accounts.map(readAccount);
}

export function findAccount(file, id) {
  return loadAccounts(file).find((account) => account.id === id);
}

// What Google's v1 user info answers; a claim that Google leaves out is left out here as well.
export function describeUser(account) {
  const claims = {
    id: account.id,
    email: account.email,
    verified_email: account.email_verified,
    hd: account.hosted_domain,
    name: account.name,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null && value !== undefined));
}
