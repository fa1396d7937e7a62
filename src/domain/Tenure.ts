/**
 * The moves of a lease: everything that may happen to the hold on one session. The in-memory store runs these very
 * functions; the SQL expresses the same in statements, and tests with generated commands check that the two agree. Each
 * move returns the tenure after it, or null when it is refused.
 */
export interface TenureHolder {
  readonly instance: string
  /** How many signs of life the engine has given. */
  readonly count: number
}

/** A session as its lease sees it. `holder` is null while no run holds it. */
export interface Tenure {
  readonly fence: number
  readonly holder: TenureHolder | null
  readonly state: "live" | "deleting" | "gone"
}

/** Holds a session whose run was released: it gives no signs of life, and any engine may take over from it. */
const nobody: TenureHolder = { instance: "", count: 0 }

export const free: Tenure = { fence: 0, holder: null, state: "live" }

/** Takes a free session that is not being deleted, under a new fencing number. */
export const take = (tenure: Tenure, by: TenureHolder): Tenure | null =>
  tenure.holder !== null || tenure.state !== "live" ? null : { ...tenure, fence: tenure.fence + 1, holder: by }

/** Records a sign of life; without effect on a session that another engine holds. */
export const renew = (tenure: Tenure, by: TenureHolder): Tenure =>
  tenure.holder?.instance === by.instance ? { ...tenure, holder: by } : tenure

/**
 * Takes a session over from the engine that was seen, under a new fencing number. Refused when the lease is no longer
 * the one that was seen, or its engine has given a sign of life since.
 */
export const takeOver = (
  tenure: Tenure,
  seen: { readonly fence: number; readonly count: number },
  by: TenureHolder
): Tenure | null =>
  tenure.holder === null || tenure.fence !== seen.fence || tenure.holder.count !== seen.count
    ? null
    : { ...tenure, fence: tenure.fence + 1, holder: by }

/** Whether a write that carries this fencing number is accepted. */
export const admits = (tenure: Tenure, fence: number): boolean =>
  tenure.holder !== null && tenure.fence === fence && tenure.state !== "gone"

/** Frees a session whose run has ended. */
export const end = (tenure: Tenure): Tenure => ({ ...tenure, holder: null })

/** Releases a run, under a new fencing number: nobody runs it, and it still holds its session. */
export const release = (tenure: Tenure): Tenure => ({ ...tenure, fence: tenure.fence + 1, holder: nobody })

/** Begins the deletion; without effect once it has begun. */
export const beginDeletion = (tenure: Tenure): Tenure =>
  tenure.state === "live" ? { ...tenure, state: "deleting" } : tenure

/** Hides a session whose deletion has begun. Refused while a run holds it. */
export const remove = (tenure: Tenure): Tenure | null =>
  tenure.state !== "deleting" || tenure.holder !== null ? null : { ...tenure, state: "gone" }
