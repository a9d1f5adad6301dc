export { eventStoreContract, type EventStoreContractHost } from './event-store-contract.js'
