# %% read
def read_measurements(path):
    table = pd.read_csv(path).dropna()
    table["date"] = pd.to_datetime(table["date"].astype(str), format="%Y%m%d")
    return table

# %% means
def yearly_means(table):
    weeks = table.groupby(table["date"].dt.year)["co2"]
    means = weeks.mean()
    return means[weeks.count() >= 40]

# %% growth
def yearly_growth(means, first, last)
    return (means[last] - means[first]) / (last - first
