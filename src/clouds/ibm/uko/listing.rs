//! Follows the pages of UKO's lists.
//!
//! In: one page after the other. Out: where to go on, or that it is over.
//! Never: follows a link: only its `offset` counts; ends an unfinished list as if it were whole.

use serde_json::Value;

use super::wire::Page;

/// The most that UKO gives at once \[S\]: fewer pages mean fewer chances that the order changes between two of them.
pub(super) const LIMIT: u64 = 1000;
/// More than this is no list a team keeps; it also ends a server that never stops.
const PAGES: usize = 50;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) items: Vec<Value>,
    offset: u64,
    pages: usize,
}

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask for the page at this offset.
    Page(u64),
    /// All there is was read.
    Done,
    /// The pages contradict each other, or do not end.
    Broken,
}

impl Listing {
    pub(super) fn take(&mut self, page: &Page<'_>) -> Next {
        self.pages += 1;
        self.items.extend_from_slice(page.items);
        let seen = u64::try_from(self.items.len()).unwrap_or(u64::MAX);
        match page.next {
            None => Next::Done,
            Some(_) if self.pages >= PAGES => Next::Broken,
            Some(next) if next > self.offset => {
                self.offset = next;
                Next::Page(next)
            }
            // A link that leads nowhere new ends the list only if the count agrees.
            Some(_) if page.total.is_some_and(|total| seen >= total) => Next::Done,
            Some(_) => Next::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(items: &[Value], total: Option<u64>, next: Option<u64>) -> Page<'_> {
        Page { items, total, next }
    }

    #[test]
    fn pages_are_read_until_there_is_no_next() {
        let items = [json!(1), json!(2)];
        let mut listing = Listing::default();
        assert_eq!(listing.take(&page(&items, Some(3), Some(2))), Next::Page(2));
        assert_eq!(listing.take(&page(&items[..1], Some(3), None)), Next::Done);
        assert_eq!(listing.items.len(), 3);
    }

    #[test]
    fn a_link_that_leads_back_ends_a_whole_list_and_breaks_an_unfinished_one() {
        let items = [json!(1)];
        assert_eq!(Listing::default().take(&page(&items, Some(1), Some(0))), Next::Done);
        assert_eq!(Listing::default().take(&page(&items, Some(2), Some(0))), Next::Broken);
        assert_eq!(Listing::default().take(&page(&items, None, Some(0))), Next::Broken);
    }

    #[test]
    fn a_list_that_never_ends_is_given_up() {
        let items = [json!(1)];
        let mut listing = Listing::default();
        let ends = (1..=100).map(|turn| listing.take(&page(&items, None, Some(turn))));
        let turns = ends.take_while(|next| *next != Next::Broken).count();
        assert_eq!(turns, PAGES - 1);
    }
}
