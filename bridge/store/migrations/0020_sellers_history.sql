-- Reports say what sellers were called before: found without looking through all that was ever changed.
CREATE INDEX history_sellers ON history (change_key) WHERE kind = 'seller';
