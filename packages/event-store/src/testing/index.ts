export { arbitraryOf, type ArbitraryOptions } from './arbitrary-of.js'
export { eventStoreContract, type EventStoreContractHost } from './event-store-contract.js'
export { modelTest, type ModelTestOptions } from './model-test.js'
export { rowStoreContract, type RowStoreContractHost } from './row-store-contract.js'
