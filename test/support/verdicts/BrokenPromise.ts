/** The error with which a campaign ends when a promise does not hold. */
export class BrokenPromise extends Error {}

export const broken = (promise: string, detail: string): never => {
  throw new BrokenPromise(`${promise}: ${detail}`)
}
