export { eventStoreContract, type EventStoreContractHost } from './event-store-contract.js'
export { rowStoreContract, type RowStoreContractHost } from './row-store-contract.js'
