//! Follows the pages of UKO's lists.
//!
//! In: one page after the other. Out: where to go on, or that it is over.
//! Never: follows a link: only its `offset` counts; ends an unfinished list as if it were whole: a keystore that is not seen
//! is registered again, and paid for again.

use std::collections::HashSet;

use serde_json::Value;

use super::wire::{Link, Page};
use crate::clouds::ibm::member::filled;

/// The most that UKO gives at once \[S\]: fewer pages mean fewer chances that the order changes between two of them.
pub(super) const LIMIT: u64 = 1000;
/// More than this is no list a team keeps; it also ends a server that never stops.
const PAGES: usize = 50;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) items: Vec<Value>,
    ids: HashSet<String>,
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
        let fresh = self.keep(page.items);
        let whole = page.total.map(|total| count(self.items.len()) >= total);
        let after = self.offset.saturating_add(count(page.items.len()));
        let next = match (page.next, whole) {
            (Link::To(next), _) if next > self.offset => next,
            // A link that leads nowhere new, or that cannot be read, ends the list only if the count agrees.
            (Link::To(_) | Link::Unclear, Some(true)) | (Link::Nowhere, Some(true) | None) => return Next::Done,
            // No link to go by, but more to come: the count of what came is the way on, as long as something new does.
            (Link::Nowhere, Some(false)) | (Link::Unclear, Some(false) | None) if fresh => after,
            (Link::To(_) | Link::Nowhere | Link::Unclear, Some(false) | None) => return Next::Broken,
        };
        if self.pages >= PAGES {
            return Next::Broken;
        }
        self.offset = next;
        Next::Page(next)
    }

    /// Keeps what was not seen before: an item that moved between two pages comes twice, and another then not at all.
    fn keep(&mut self, items: &[Value]) -> bool {
        let before = self.items.len();
        for item in items {
            if filled(item, "id").is_none_or(|id| self.ids.insert(id.to_ascii_lowercase())) {
                self.items.push(item.clone());
            }
        }
        self.items.len() > before
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(items: &[Value], total: Option<u64>, next: Option<u64>) -> Page<'_> {
        linked(items, total, next.map_or(Link::Nowhere, Link::To))
    }

    fn linked(items: &[Value], total: Option<u64>, next: Link) -> Page<'_> {
        Page { items, total, next }
    }

    #[test]
    fn a_count_that_is_not_reached_goes_on_without_a_link() {
        let items = [json!({"id": "a"}), json!({"id": "b"}), json!({"id": "c"})];
        for link in [Link::Nowhere, Link::Unclear] {
            let mut listing = Listing::default();
            assert_eq!(listing.take(&linked(&items[..2], Some(3), link)), Next::Page(2));
            assert_eq!(listing.take(&linked(&items[2..], Some(3), link)), Next::Done);
            assert_eq!(listing.items, items);
            assert_eq!(Listing::default().take(&linked(&[], Some(3), link)), Next::Broken);
        }
        assert_eq!(Listing::default().take(&linked(&items, None, Link::Unclear)), Next::Page(3));
    }

    #[test]
    fn a_page_that_comes_again_breaks_the_list() {
        let items = [json!({"id": "a"}), json!({"id": "b"})];
        let mut listing = Listing::default();
        assert_eq!(listing.take(&page(&items, Some(3), None)), Next::Page(2));
        assert_eq!(listing.take(&page(&items, Some(3), None)), Next::Broken);
        assert_eq!(listing.items.len(), 2);
    }

    #[test]
    fn an_item_that_moved_between_two_pages_hides_no_other() {
        let items = [json!({"id": "a"}), json!({"id": "b"})];
        let mut listing = Listing::default();
        assert_eq!(listing.take(&page(&items, Some(3), Some(2))), Next::Page(2));
        assert_eq!(listing.take(&page(&[json!({"id": "B"})], Some(3), None)), Next::Broken);
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
