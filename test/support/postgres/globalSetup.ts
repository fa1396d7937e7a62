/**
 * Provides the tests of a run with PostgreSQL servers, and ends these with the run; removes what its workers have
 * shared.
 */
import { readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import type { Address } from "./Control.js"
import { open } from "./Control.js"

declare module "vitest" {
  interface ProvidedContext {
    readonly postgres: Address
  }
}

export default async (project: TestProject) => {
  const { address, close } = await open()
  project.provide("postgres", address)
  return async () => {
    await close()
    for (const name of readdirSync(tmpdir()))
      if (name.startsWith(`skein-killed-${process.pid}-`))
        rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}
