/** A planted bug as data: one text of one source file, and what stands there instead. */

export interface PlantedBug {
  readonly name: string
  /** The checker, or the demand of the world itself, that must fail. */
  readonly promise: string
  /** From the top of the repository. */
  readonly file: string
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
  /** The property that must catch it, from the top of the repository. */
  readonly test: string
}

/** A bug that one test of a package catches: `promise` is the end of that test's full name. */
export interface NamedBug extends PlantedBug {
  /**
   * For a property that draws all its runs from one seed: that seed. One that says which seed broke
   * it (`broken at SEED=n`) needs none, nor does a test that fixes its own draws.
   */
  readonly seed?: number
}

export const ORDER = 'test/simulation/order.property.test.ts'
export const CLUSTERING = 'test/simulation/clustering.property.test.ts'
export const BROADCASTING = 'test/simulation/broadcasting.property.test.ts'
export const TRANSACTIONS = 'test/simulation/transactions.property.test.ts'
export const RETRIES = 'test/simulation/retries.property.test.ts'
export const DELAY = 'test/simulation/delay.property.test.ts'
export const PARKING = 'test/simulation/parking.property.test.ts'
