// The provider's two pages, in Bulgarian or English by what the browser asks for.

const TEXTS = {
  bg: {
    title: "Избор на профил",
    note: "Това не е Google. Това е заместител за проба и за тестове: хората и адресите са измислени и няма пароли.",
    cancel: "Отказ",
    broken: "Тази страница е остаряла",
    again: "Върнете се в Ателие и започнете влизането отначало.",
    people: "Профили",
  },
  en: {
    title: "Choose an account",
    note: "This is not Google. It is a stand-in for trying out and for tests: people and addresses are invented and there are no passwords.",
    cancel: "Cancel",
    broken: "This page is out of date",
    again: "Go back to Atelier and start signing in again.",
    people: "Accounts",
  },
};

export function findLanguage(header) {
  const first = (header ?? "").split(",")[0].trim().slice(0, 2).toLowerCase();
  return first === "en" ? "en" : "bg";
}

function escape(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (character) => names[character]);
}

function renderFrame(language, title, body) {
  return `<!DOCTYPE html>
<html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title><style>
body { font: 16px/1.5 system-ui, sans-serif; background: #eef1f5; margin: 0; color: #1c1e21; }
main { max-width: 36rem; margin: 6vh auto; background: #fff; border-radius: .75rem; padding: 2rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1rem; margin: 1.5rem 0 .25rem; color: #555; }
.note { color: #666; font-size: .875rem; }
button { display: block; width: 100%; text-align: left; padding: .6rem .9rem; margin: .35rem 0; font: inherit;
  border: 1px solid #d3d8de; border-radius: .5rem; background: #fff; cursor: pointer; }
button:hover, button:focus { border-color: #1a6fb0; background: #f3f8fc; }
button small { display: block; color: #666; overflow-wrap: anywhere; }
.quiet { border: 0; text-align: center; color: #555; }
</style></head><body><main>${body}</main></body></html>`;
}

function renderButton(account, language) {
  const hint = account.hint?.[language] ? ` · ${account.hint[language]}` : "";
  return `<button name="account" value="${escape(account.id)}">${escape(account.name)}
<small>${escape((account.email ?? "—") + hint)}</small></button>`;
}

// `place` is the interaction's path; the forms are plain POSTs, for browsers without scripts and for tests.
export function renderChooser(accounts, place, language) {
  const texts = TEXTS[language];
  const groups = Map.groupBy(accounts, (account) => account.group?.[language] ?? texts.people);
  const lists = [...groups].map(
    ([name, members]) => `<h2>${escape(name)}</h2>${members.map((member) => renderButton(member, language)).join("")}`,
  );
  return renderFrame(
    language,
    texts.title,
    `<h1>${texts.title}</h1><p class="note">${texts.note}</p>
<form method="post" action="${escape(place)}/choose">${lists.join("")}</form>
<form method="post" action="${escape(place)}/cancel"><button class="quiet" id="cancel">${texts.cancel}</button></form>`,
  );
}

export function renderBroken(language) {
  const texts = TEXTS[language];
  return renderFrame(language, texts.broken, `<h1>${texts.broken}</h1><p>${texts.again}</p>`);
}
