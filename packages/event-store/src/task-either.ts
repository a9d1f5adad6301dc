/** The TaskEither twins of this package: what rejects with EventStoreError gives it as the left. */
import { asTaskEitherOf } from '@sagalog/client'
import { EventStoreError } from './errors.js'

/** The TaskEither twin of a function that rejects with EventStoreError. */
export const asTaskEither = asTaskEitherOf(EventStoreError.is)
