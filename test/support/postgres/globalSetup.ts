/** Lets the tests of a run have servers of PostgreSQL, and ends them with the run. */
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
  return close
}
