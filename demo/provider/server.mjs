// Plays Google for the demo and the tests: an OpenID provider without passwords, on loopback only.
//
// PROVIDER_PORT, PROVIDER_ISSUER, PROVIDER_CLIENT_ID, PROVIDER_CLIENT_SECRET, PROVIDER_REDIRECT_URI,
// PROVIDER_COOKIE_KEY: required. PROVIDER_ACCOUNTS: JSON file of the accounts (default: accounts.json beside this).

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import Provider, { interactionPolicy } from "oidc-provider";

import { describeUser, findAccount, loadAccounts } from "./accounts.mjs";
import { findLanguage, renderBroken, renderChooser } from "./pages.mjs";

const SCOPE = "openid email";
const settings = readSettings(process.env);
const provider = new Provider(settings.issuer, configure(settings));
const handleProtocol = provider.callback();

function readSettings(environment) {
  const names = ["PORT", "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "COOKIE_KEY"];
  const missing = names.filter((name) => !environment[`PROVIDER_${name}`]);
  if (missing.length > 0) {
    console.error(`The sign-in provider needs ${missing.map((name) => `PROVIDER_${name}`).join(", ")}.`);
    process.exit(2);
  }
  return {
    port: Number(environment.PROVIDER_PORT),
    issuer: environment.PROVIDER_ISSUER,
    clientId: environment.PROVIDER_CLIENT_ID,
    clientSecret: environment.PROVIDER_CLIENT_SECRET,
    redirectUri: environment.PROVIDER_REDIRECT_URI,
    cookieKey: environment.PROVIDER_COOKIE_KEY,
    accounts: environment.PROVIDER_ACCOUNTS ?? fileURLToPath(new URL("accounts.json", import.meta.url)),
  };
}

function configure({ clientId, clientSecret, redirectUri, cookieKey, accounts }) {
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    clockTolerance: 0,
    cookies: { keys: [cookieKey] },
    features: { devInteractions: { enabled: false } },
    interactions: { policy: makePolicy(), url: (context, interaction) => `/interaction/${interaction.uid}` },
    jwks: { keys: [generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" })] },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 300, AuthorizationCode: 60, IdToken: 300 },
    pkce: { required: () => true },
    findAccount: (context, id) => {
      const account = findAccount(accounts, id);
      return account && { accountId: id, claims: () => ({ sub: id }) };
    },
    loadExistingGrant: grantEverything,
    renderError: (context) => {
      context.type = "html";
      context.body = renderBroken(findLanguage(context.get("accept-language")));
    },
  };
}

// Everybody chooses an account at every sign-in: on a demo one person plays many.
function makePolicy() {
  const { Check, Prompt, base } = interactionPolicy;
  const policy = base();
  policy.add(new Prompt({ name: "select_account", requestable: true }), 0);
  policy.get("login").checks.add(
    new Check("always", "an account is chosen each time", (context) => context.oidc.result?.login === undefined),
  );
  return policy;
}

// One client, which is ours: nobody is asked for consent.
async function grantEverything(context) {
  const grant = new context.oidc.provider.Grant({
    clientId: context.oidc.client.clientId,
    accountId: context.oidc.session.accountId,
  });
  grant.addOIDCScope(SCOPE);
  await grant.save();
  return grant;
}

async function readForm(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > 10_000) throw new Error("form too large");
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf-8"));
}

function answer(response, status, type, body) {
  response.writeHead(status, {
    "Content-Type": `${type}; charset=utf-8`,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
  });
  response.end(body);
}

// ------------------------------------------------ choosing an account
async function handleInteraction(request, response, action) {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method === "GET" && action === undefined) {
    const page = renderChooser(
      loadAccounts(settings.accounts), `/interaction/${uid}`, findLanguage(request.headers["accept-language"]),
    );
    answer(response, 200, "text/html", page);
  } else if (request.method === "POST" && action === "cancel") {
    await finish(request, response, { error: "access_denied", error_description: "The person cancelled" });
  } else if (request.method === "POST" && action === "choose") {
    const id = (await readForm(request)).get("account");
    if (!findAccount(settings.accounts, id)) throw new Error("no such account");
    await finish(request, response, { login: { accountId: id, remember: false }, select_account: {} });
  } else {
    throw new Error("no such page");
  }
}

function finish(request, response, result) {
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

// ------------------------------------------------ Google's v1 user info
async function handleUserInfo(request, response) {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
  const found = token && (await provider.AccessToken.find(token));
  const account = found && findAccount(settings.accounts, found.accountId);
  if (!account) return answer(response, 401, "application/json", '{"error": "invalid_token"}');
  return answer(response, 200, "application/json", JSON.stringify(describeUser(account)));
}

async function handle(request, response) {
  const { pathname } = new URL(request.url, settings.issuer);
  const interaction = /^\/interaction\/[\w-]+(?:\/(?<action>\w+))?$/.exec(pathname);
  if (interaction) return handleInteraction(request, response, interaction.groups.action);
  if (pathname === "/oauth2/v1/userinfo") return handleUserInfo(request, response);
  return handleProtocol(request, response);
}

const server = createServer((request, response) => {
  handle(request, response).catch(() => {
    if (!response.headersSent) {
      answer(response, 400, "text/html", renderBroken(findLanguage(request.headers["accept-language"])));
    }
  });
});
server.listen(settings.port, "127.0.0.1", () => console.log(`sign-in provider on ${settings.issuer}`));
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    server.closeAllConnections();
    server.close(() => process.exit(0));
  });
}
