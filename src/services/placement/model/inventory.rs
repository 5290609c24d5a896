//! What a provider has of one class.

use stackup_contracts::Inventory;

/// The largest amount, as upstream's schema has it.
pub(crate) const MAX: u64 = 2_147_483_647;

/// How much can be given: (total − reserved) × ratio.
pub(crate) fn capacity(inventory: &Inventory) -> u64 {
    let free = inventory.total.saturating_sub(inventory.reserved);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "amounts are below 2^31 and ratios positive"
    )]
    let capacity = (free as f64 * inventory.allocation_ratio) as u64;
    capacity
}

/// Why an amount cannot be taken; `None` when it can.
pub(crate) fn refusal(inventory: &Inventory, used: u64, amount: u64) -> Option<&'static str> {
    if amount < inventory.min_unit {
        return Some("would violate inventory constraints: less than min_unit");
    }
    if amount > inventory.max_unit {
        return Some("would violate inventory constraints: more than max_unit");
    }
    if !amount.is_multiple_of(inventory.step_size.max(1)) {
        return Some("would violate inventory constraints: no multiple of step_size");
    }
    (used + amount > capacity(inventory)).then_some("would exceed the capacity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_steps_and_capacity() {
        let inventory = Inventory {
            total: 10,
            reserved: 2,
            allocation_ratio: 1.5,
            min_unit: 2,
            max_unit: 6,
            step_size: 2,
        };
        assert_eq!(capacity(&inventory), 12);
        assert_eq!(refusal(&inventory, 8, 4), None);
        assert_eq!(refusal(&inventory, 10, 4), Some("would exceed the capacity"));
        assert_eq!(
            refusal(&inventory, 0, 1),
            Some("would violate inventory constraints: less than min_unit")
        );
        assert_eq!(
            refusal(&inventory, 0, 8),
            Some("would violate inventory constraints: more than max_unit")
        );
        assert_eq!(
            refusal(&inventory, 0, 5),
            Some("would violate inventory constraints: no multiple of step_size")
        );
    }
}
