/** Sessions for which a model is resolved. */
import { Cursor, SessionId } from "../../../../src/domain/Session.js"
import type { Session } from "../../../../src/domain/Session.js"
import * as Usage from "../../../../src/domain/Usage.js"

export const session = (fields: Partial<Session> = {}): Session => ({
  id: SessionId.make("s1"),
  title: "A session",
  named: false,
  owner: null,
  workdir: "/",
  placement: null,
  parent: null,
  agent: null,
  model: null,
  metadata: {},
  usage: Usage.zero,
  head: 0,
  cursor: Cursor.make(0),
  createdAt: 0,
  updatedAt: 0,
  ...fields
})
