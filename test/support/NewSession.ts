/** A session as storage is asked to create it, with nothing specified. */
import { Checked } from "../../src/domain/Checked.js"
import type { SessionId } from "../../src/domain/Session.js"
import type { NewSession } from "../../src/services/storage/Storage.js"

export const bare = (id: SessionId): NewSession => ({
  id,
  title: null,
  owner: null,
  workdir: "/",
  placement: null,
  parent: null,
  agent: null,
  model: null,
  metadata: Checked.noMetadata
})
