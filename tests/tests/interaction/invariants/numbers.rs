//! Packet numbers.

/// The packet numbers that one end used, by packet number space.
#[derive(Debug, Default)]
pub(crate) struct Numbers([Option<u64>; 3]);

impl Numbers {
    pub(crate) fn i2_no_packet_number_is_used_twice(
        &mut self,
        space: usize,
        number: u64,
    ) -> Result<(), String> {
        match self.0[space].replace(number) {
            Some(last) if number <= last => {
                Err(format!("I2: packet {number} after {last} in space {space}"))
            }
            _ => Ok(()),
        }
    }
}
