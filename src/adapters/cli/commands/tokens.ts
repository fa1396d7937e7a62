/** The commands for tokens, loaded in one piece. */
export * as create from "./token/create.js"
export * as link from "./token/link.js"
export * as list from "./token/list.js"
export * as revoke from "./token/revoke.js"
