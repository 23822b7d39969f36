//! The table's revision in headers: `ETag` of what is read, `If-Match` of what is changed (RFC 9110
//! §8.8.3, §13.1.1). The tag is of the rules; counters move beneath it.

use axum::http::{HeaderMap, header};

use super::problem::Failure;

/// The header that says which rules an answer shows.
pub(super) fn etag(revision: u64) -> [(header::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{revision}\""))]
}

/// The one revision that a request is for: by `If-Match`, by its body, or by both alike.
pub(super) fn expected(headers: &HeaderMap, body: Option<u64>) -> Result<Option<u64>, Failure> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let header = match (values.next(), values.next()) {
        (None, _) => return Ok(body),
        (Some(value), None) => value.to_str().ok().map(str::trim),
        (Some(_), Some(_)) => None,
    };
    let header = match header {
        Some("*") => return Ok(body),
        Some(tag) => tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')),
        None => None,
    };
    let Some(revision) = header.and_then(|digits| digits.parse().ok()) else {
        return Err(Failure::bad_request("If-Match takes one revision, such as \"17\", or *"));
    };
    match body {
        Some(other) if other != revision => {
            Err(Failure::bad_request("If-Match and if_revision name different revisions"))
        }
        _ => Ok(Some(revision)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str], body: Option<u64>) -> Result<Option<u64>, ()> {
        let values = values.iter().map(|value| (header::IF_MATCH, value.parse().unwrap()));
        expected(&values.collect(), body).map_err(|_refused| ())
    }

    #[test]
    fn a_tag_names_a_revision() {
        assert_eq!(read(&["\"17\""], None), Ok(Some(17)));
        assert_eq!(read(&["\"17\""], Some(17)), Ok(Some(17)));
        assert_eq!(read(&["*"], None), Ok(None));
        assert_eq!(read(&[], Some(3)), Ok(Some(3)));
        let [(_, tag)] = etag(17);
        assert_eq!(tag, "\"17\"");
    }

    #[test]
    fn what_names_none_or_two_is_refused() {
        for values in
            [&["17"][..], &["W/\"17\""], &["\"x\""], &["\"1\", \"2\""], &["\"1\"", "\"1\""]]
        {
            assert_eq!(read(values, None), Err(()), "{values:?}");
        }
        assert_eq!(read(&["\"17\""], Some(18)), Err(()));
    }
}
