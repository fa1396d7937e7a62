/** Texts about tokens. Names consist of letters, digits, - and _; owners are made harmless by the caller. */

export const created = (name: string): string =>
  `this is the token ${name}; it will not be shown again; to revoke it: skein token revoke ${name}`

export const revoked = (name: string): string => `Revoked ${name}`

export const replaced = "Replaced the token of this host's own clients"

/** How long a link is good. */
export const linkMinutes = 10

export const linked = (name: string): string =>
  `this link signs one browser in as ${name}, once, within ${linkMinutes} minutes`

export const none = "No tokens; create one with skein token create NAME --scope read"

export const noToken = (path: string, code: string | null): string =>
  code === null ? `${path} is no token, and lets nobody in` : `${path} cannot be read, and lets nobody in: ${code}`

export const headings = { name: "NAME", scope: "SCOPE", owner: "OWNER", created: "CREATED", expires: "EXPIRES" }

export const everybody = "all"

export const never = "never"

export const expired = (at: string): string => `${at}, expired`

export const needsScope = "--scope says what the token may do: --scope read or --scope write"

export const scopeForm = "must be read or write"

export const expiryForm = "must be a time from now, such as 90m, 12h or 30d, or a date such as 2030-01-31"

export const sinceForm = "must be a time before now, such as 90m, 12h or 30d, or a date such as 2030-01-31"

export const capForm = "must be a whole number, 1 or more"

export const nameForm =
  "must be 1 to 63 characters of a-z, 0-9, - and _, starting with a letter or digit, and not local"
