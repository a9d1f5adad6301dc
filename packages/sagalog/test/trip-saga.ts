/** A changed definition of the saga `trip`, as a user's module exports it. */
import { saga } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'

export const trip = saga('trip', 2, t.type({ city: t.string }))
  .step('hotel', { out: t.string, run: () => TE.right('h'), undo: () => TE.right(undefined) })
  .end()
