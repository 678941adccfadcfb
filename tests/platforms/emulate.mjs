// The Slack of npm's `emulate`, with one app that is installed in it. Prints its address.
import { createEmulator } from "emulate";

const app = { app_id: "A1", bot_id: "B0LORE", bot_user_id: "U0LORE" };
const slack = {
  team: { name: "Library", domain: "library" },
  users: [{ name: "ada", is_admin: true }, { name: "bob" }],
  channels: [{ name: "books" }],
  oauth_apps: [{ ...app, client_id: "1.2", client_secret: "secret", name: "Lorebot", bot_name: "lorebot", redirect_uris: ["http://localhost/"] }],
  tokens: [
    { ...app, token: "xoxb-1-2-lorebot", type: "bot", user_id: app.bot_user_id },
    { token: "xoxp-ada", user: "ada" },
    { token: "xoxp-bob", user: "bob" },
  ],
};
console.log((await createEmulator({ service: "slack", port: 0, hostname: "127.0.0.1", seed: { slack } })).url);
