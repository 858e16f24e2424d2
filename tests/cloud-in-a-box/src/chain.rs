//! The chain from UKO to a Key Vault: which link of it does not hold.
